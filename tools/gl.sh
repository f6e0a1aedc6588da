#!/usr/bin/env bash
# tools/gl.sh   find out how MuJoCo can draw here without a screen, and install the system library where that is allowed.
#
# The answer (egl or osmesa) is kept in .venv/.gl. A MUJOCO_GL that is already set is the user's own choice.
set -euo pipefail
cd "$(dirname "$0")/.."

packages="libegl1 libgl1-mesa-dri"

draws() {
    MUJOCO_GL=$1 .venv/bin/python - >/dev/null 2>&1 <<'PYTHON'
import mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><light/><geom size='1'/></worldbody></mujoco>")
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
with mujoco.Renderer(model, 8, 8) as renderer:
    renderer.update_scene(data)
    renderer.render()
PYTHON
}

choose() {
    for backend in egl osmesa; do
        if draws "$backend"; then
            echo "$backend" > .venv/.gl
            return 0
        fi
    done
    return 1
}

[ -z "${MUJOCO_GL:-}" ] || exit 0
[ "$(uname -s)" = Linux ] || exit 0
[ ! -s .venv/.gl ] || exit 0
choose && exit 0

if ! command -v apt-get >/dev/null; then
    echo "MuJoCo cannot draw: install Mesa's EGL library with this system's package manager and run again" >&2
    exit 2
fi
if [ "$(id -u)" = 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    echo "MuJoCo cannot draw: run  sudo apt-get install -y $packages  and then the same make command again" >&2
    exit 2
fi
echo "installing $packages (MuJoCo draws through them)"
install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends)
# shellcheck disable=SC2086  # a list of packages
"${install[@]}" $packages >/dev/null 2>&1 || {
    "${as_root[@]}" apt-get update -qq
    "${install[@]}" $packages >/dev/null
}
choose && exit 0
echo "MuJoCo still cannot draw after installing $packages; try MUJOCO_GL=osmesa with libosmesa6, or MUJOCO_GL=glfw on a screen" >&2
exit 2
