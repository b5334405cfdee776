"""What operators should hear before the newsroom does: pure decisions of the watchdog."""
