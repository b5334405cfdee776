"""The inbound side of Slack: buttons, commands, Socket Mode."""
