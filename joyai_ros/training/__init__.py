"""From recordings to data, models and scores."""
