"""From an Observation to a Scene: segment, lift, fuse, relate. Knows geometry only."""
