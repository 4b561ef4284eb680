"""What is played in each scenario: one function a scenario, in files by what goes wrong."""
