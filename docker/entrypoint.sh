#!/usr/bin/env bash
# Run a command with ROS 2 and this package sourced.
set -e
# shellcheck disable=SC1090
source "/opt/ros/${ROS_DISTRO}/setup.bash"
# shellcheck disable=SC1091
source /ws/install/local_setup.bash
exec "$@"
