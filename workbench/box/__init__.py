"""The machine that runs are on: its devices, disks and rules."""
