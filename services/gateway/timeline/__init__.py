"""What happened to a video, across all services, told in plain sentences."""
