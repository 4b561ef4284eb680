"""What to do next for the people that a lane owes, in the fewest calls. Pure: values in, values out."""
