#!/usr/bin/env bash
# tools/with_ros.sh COMMAND...   run a command with this package built for ROS 2 and sourced, where ROS 2 is found.
#
# A sourced ROS 2 is taken first, then the newest of /opt/ros/*. Without one, without colcon, or with one for another
# Python than that of .venv, the command runs as it is and the tests that need ROS 2 skip. The build stays in build/ros,
# so that only the first one is slow.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${AMENT_PREFIX_PATH:-}" ]; then
    for setup in $(ls -d /opt/ros/*/setup.bash 2>/dev/null | sort -r); do
        set +u
        # shellcheck disable=SC1090
        source "$setup"
        set -u
        break
    done
fi
if [ -z "${AMENT_PREFIX_PATH:-}" ]; then
    echo "ROS 2: none sourced and none in /opt/ros; its tests are skipped"
    exec "$@"
fi
if ! command -v colcon >/dev/null; then
    echo "ROS 2: found ${ROS_DISTRO:-one}, but not colcon (python3-colcon-common-extensions); its tests are skipped"
    exec "$@"
fi
if ! .venv/bin/python -c "import rclpy" 2>/dev/null; then
    version=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "ROS 2: found ${ROS_DISTRO:-one}, but not for Python $version of .venv (make a new one: rm -r .venv;" \
        "PYTHON=/usr/bin/python3 make test); its tests are skipped"
    exec env -u PYTHONPATH -u AMENT_PREFIX_PATH "$@"
fi

echo "ROS 2: building for ${ROS_DISTRO:-an unnamed distribution}"
mkdir -p build/ros
if command -v flock >/dev/null; then  # two builds at once would remove each other's files
    exec 9> build/ros/.lock
    flock 9
fi
# The generators need ROS's own Python packages, which an active virtual environment would hide.
if ! env -u VIRTUAL_ENV PATH="${PATH//$PWD\/.venv\/bin:/}" \
    colcon --log-base build/ros/log build --base-paths . --build-base build/ros/build --install-base build/ros/install \
    --cmake-args -DBUILD_TESTING=OFF > build/ros/output.txt 2>&1; then
    cat build/ros/output.txt
    echo "ROS 2: the package does not build" >&2
    exit 1
fi
exec 9>&-
set +u
# shellcheck disable=SC1091
source build/ros/install/local_setup.bash
set -u
export JOYAI_ROS_INSTALL=$PWD/build/ros/install
exec "$@"
