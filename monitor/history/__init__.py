"""What was told, by whom it was answered, and where it went: kept for a year, as small texts."""
