"""One transaction: directory, change and operations, whoever asks. Both packages record through here."""
