"""Where models come from: folders, the Hub, other runs."""
