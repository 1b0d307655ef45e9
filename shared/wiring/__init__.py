"""What every service is made of: settings, logs, metrics, connections, HTTP. No business rules."""
