"""Core types to ROS messages and back: the same functions for rclpy's message classes and for rosbags' classes."""
