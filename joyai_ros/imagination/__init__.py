"""CameraMotion to View: what a camera would see from elsewhere."""
