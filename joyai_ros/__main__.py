"""``python -m joyai_ros`` is ``joyai-ros``."""

from joyai_ros.cli.main import main

if __name__ == "__main__":
    main()
