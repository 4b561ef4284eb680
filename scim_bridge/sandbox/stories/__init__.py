"""Stories: the whole product on stage, with simulated targets, playing senders and a proof at the end."""
