"""Teach the models that the service ships: the encoder's adapter and the two judges."""
