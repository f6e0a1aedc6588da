"""Scores of what answers questions, draws views and measures scenes, with the simulator as judge."""
