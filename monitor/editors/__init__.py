"""What editors rank by: the severity of a happening."""
