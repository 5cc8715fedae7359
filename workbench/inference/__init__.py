"""Answer prompts: a host process with torch, and a client without."""
