"""The data engine: what robots or the simulator saw, as an index of objects by frame, with questions and view pairs."""
