"""Files of HR rows at the door: read as they come, staged, and reported on row by row."""
