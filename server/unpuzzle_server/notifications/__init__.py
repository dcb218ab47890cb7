"""What has happened that concerns somebody."""
