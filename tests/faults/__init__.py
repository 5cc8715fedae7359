"""Every plug pulled: processes killed at random while promises are watched."""
