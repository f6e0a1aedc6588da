"""Loading MuJoCo and opening a drawing context without a screen."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import importlib
import importlib.util
import os
from types import ModuleType
from typing import Any

from joyai_ros.errors import MissingDependencyError

_INSTALL_GL = "install one: apt-get install -y libegl1 libgl1-mesa-dri (or: apt-get install -y libosmesa6)"
_EGL_LIBRARY = "libEGL.so.1"


def load_mujoco() -> ModuleType:
    """Import MuJoCo, telling it first which way of drawing this machine has (unless ``MUJOCO_GL`` says so already).

    Raises:
        MissingDependencyError: MuJoCo is not installed, or does not load with the way of drawing that was chosen.
    """
    if importlib.util.find_spec("mujoco") is None:
        raise MissingDependencyError("the simulator needs MuJoCo; install it: pip install 'joyai_ros[sim]'")
    _load_tritons_compiler()
    os.environ.setdefault("MUJOCO_GL", _backend() or "disable")
    try:
        return importlib.import_module("mujoco")
    except (ImportError, AttributeError, OSError, RuntimeError) as error:  # PyOpenGL looks its library up on import
        raise MissingDependencyError(
            f"MuJoCo does not load with MUJOCO_GL={os.environ['MUJOCO_GL']} ({error}); {_INSTALL_GL}"
        ) from error


def _load_tritons_compiler() -> None:
    """Load the LLVM in triton before Mesa's software renderer brings its own.

    Mesa offers its symbols to the whole process, and triton (xgrammar imports it) binds to them if it comes later: the
    process then ends with a segmentation fault. A library that is loaded is bound, and nothing of it is run here.
    """
    found = importlib.util.find_spec("triton")
    for folder in (found.submodule_search_locations or ()) if found else ():
        with contextlib.suppress(OSError):
            ctypes.CDLL(os.path.join(folder, "_C", "libtriton.so"))


def _backend() -> str | None:
    """``egl`` where a device answers, else ``osmesa`` where its library is present."""
    if _egl_devices() > 0:
        return "egl"
    return "osmesa" if ctypes.util.find_library("OSMesa") else None


def _egl_devices() -> int:
    """Count EGL devices (EGL_EXT_device_enumeration); Mesa's software renderer counts as one."""
    try:
        egl = ctypes.CDLL(_EGL_LIBRARY)
        egl.eglGetProcAddress.restype = ctypes.c_void_p
        address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    except (OSError, AttributeError):
        return 0
    if not address:
        return 0
    query = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int))(address)
    count = ctypes.c_int(0)
    return count.value if query(0, None, ctypes.byref(count)) else 0


def open_context(width: int, height: int) -> Any:
    """Return an off-screen OpenGL context (MuJoCo's ``GLContext``), made current on this thread.

    Raises:
        MissingDependencyError: MuJoCo is not installed, or no OpenGL library can draw without a screen.
    """
    mujoco = load_mujoco()
    context_class = getattr(mujoco, "GLContext", None)
    if context_class is None or os.environ.get("MUJOCO_GL") == "disable":
        raise MissingDependencyError(f"no OpenGL library that draws without a screen was found; {_INSTALL_GL}")
    try:
        context = context_class(width, height)
        context.make_current()
    except Exception as error:  # every backend has its own: OpenGL.error.GLError, RuntimeError, AttributeError ...
        raise MissingDependencyError(
            f"OpenGL ({os.environ.get('MUJOCO_GL')}) does not start ({error}); {_INSTALL_GL}"
        ) from error
    return context


def load_model(model: Any) -> Any:
    """Return MuJoCo's ``MjrContext``: a model's meshes and textures in the current drawing context.

    Raises:
        MissingDependencyError: the current context cannot draw.
    """
    mujoco = load_mujoco()
    try:
        return mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
    except mujoco.FatalError as error:
        raise MissingDependencyError(
            f"OpenGL ({os.environ.get('MUJOCO_GL')}) does not draw ({error}); {_INSTALL_GL}"
        ) from error
