"""rosbag2 in and out without ROS, through the rosbags library."""
