"""What is unusual and worth a notice; retention; the canary channel."""
