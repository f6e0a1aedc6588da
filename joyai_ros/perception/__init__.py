"""The work on one frame, shared by the command line and the nodes: observation to scene, view and messages."""
