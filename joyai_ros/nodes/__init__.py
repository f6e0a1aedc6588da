"""The ROS 2 nodes: quality of service, lifecycle and back-pressure. What they compute is below, without ROS."""
