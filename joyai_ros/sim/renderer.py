"""Drawing a world through any pinhole camera: colour, metric depth, which geom each pixel shows.

Pixel (0, 0) is the centre of the top left pixel, as everywhere in this package; OpenGL counts from the pixel's corner, hence
the halves in the frustum.
"""

from __future__ import annotations

import atexit
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from joyai_ros.errors import CameraError
from joyai_ros.geometry.arrays import ColorImage, DepthImage, Mask, Mat4
from joyai_ros.geometry.cameras import Camera
from joyai_ros.sim.graphics import load_model, load_mujoco, open_context
from joyai_ros.sim.world import FAR, MAX_HEIGHT, MAX_WIDTH, NEAR, World

NOTHING, TABLE = 0, 255  # instance numbers of what is no object; objects count from 1


@dataclass(frozen=True)
class DepthRender:
    """What a camera without noise would measure.

    Attributes:
        depth: (H, W) float32 metres along the optical axis, 0 where nothing is seen.
        instances: (H, W) uint8: 0 nothing or the room, 1 to n the objects in their order, 255 the table.
    """

    depth: DepthImage
    instances: NDArray[np.uint8]


class Renderer:
    """Draws one world without a screen. Close it, or use it in a ``with``; it belongs to the thread that made it."""

    def __init__(self, world: World) -> None:
        """Open the drawing context.

        Raises:
            MissingDependencyError: MuJoCo or an OpenGL library is missing.
        """
        self._mujoco = load_mujoco()
        self._world = world
        self._context: Any = _shared_context()
        self._context.make_current()
        self._gl: Any = load_model(world.model)
        self._gl.readDepthMap = self._mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._scene: Any = self._mujoco.MjvScene(model=world.model, maxgeom=400)
        self._alone: Any = self._mujoco.MjvScene(model=world.model, maxgeom=4)
        self._options: Any = self._mujoco.MjvOption()
        self._free_camera: Any = self._mujoco.MjvCamera()
        self._instance_of_geom = _instances(world)

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free what the graphics library holds for this world."""
        if self._gl is not None:
            self._context.make_current()
            self._gl.free()
            self._gl = None

    def color(self, camera: Camera, world_from_camera: Mat4) -> ColorImage:
        """Return the (H, W, 3) uint8 RGB image seen through an undistorted camera.

        Raises:
            CameraError: the camera is distorted or larger than the drawing buffer (1280 x 960).
        """
        self._update(camera, world_from_camera)
        self._flag(segment=False)
        image = np.empty((camera.height, camera.width, 3), dtype=np.uint8)
        self._draw(self._scene, camera, image, None)
        return np.ascontiguousarray(image[::-1])

    def depth(self, camera: Camera, world_from_camera: Mat4) -> DepthRender:
        """Return exact depth and instances, taken at the pixel centres.

        Raises:
            CameraError: as for :meth:`color`.
        """
        self._update(camera, world_from_camera)
        self._flag(segment=True)
        codes = np.empty((camera.height, camera.width, 3), dtype=np.uint8)
        buffer = np.empty((camera.height, camera.width), dtype=np.float32)
        self._draw(self._scene, camera, codes, buffer)
        depth, codes = _metric(buffer[::-1]), codes[::-1]
        numbers = codes[..., 0].astype(np.int32) + 256 * codes[..., 1].astype(np.int32)
        table = np.zeros(self._scene.ngeom + 1, dtype=np.uint8)
        for geom in self._scene.geoms[: self._scene.ngeom]:
            if geom.segid >= 0:
                table[geom.segid + 1] = self._instance_of_geom[geom.objid]
        return DepthRender(depth, table[numbers])

    def silhouette(self, index: int, camera: Camera, world_from_camera: Mat4) -> Mask:
        """Return the (H, W) bool pixels that object ``index`` would cover if nothing stood in front of it.

        Raises:
            CameraError: as for :meth:`color`.
        """
        self._update(camera, world_from_camera)
        name = self._world.objects[index].id
        wanted = self._world.model.geom(name).id
        source = next(g for g in self._scene.geoms[: self._scene.ngeom] if g.objid == wanted)
        self._alone.ngeom = 1
        only = self._alone.geoms[0]
        self._mujoco.mjv_initGeom(only, source.type, source.size, source.pos, source.mat.ravel(), source.rgba)
        only.dataid, only.objtype, only.objid, only.segid = source.dataid, source.objtype, source.objid, 0
        only.category = source.category
        for k in range(2):
            _copy_camera(self._scene.camera[k], self._alone.camera[k])
        self._flag(segment=True)
        image = np.empty((camera.height, camera.width, 3), dtype=np.uint8)
        self._draw(self._alone, camera, image, None)
        return np.ascontiguousarray(image[::-1, :, 0] > 0)  # the one geom is drawn in the colour code (1, 0, 0)

    def _update(self, camera: Camera, world_from_camera: Mat4) -> None:
        if not camera.is_pinhole:
            raise CameraError("the simulator draws undistorted images; give the camera without its lens distortion")
        if camera.width > MAX_WIDTH or camera.height > MAX_HEIGHT:
            raise CameraError(f"camera size {camera.width}x{camera.height} is above {MAX_WIDTH}x{MAX_HEIGHT}")
        mujoco, world = self._mujoco, self._world
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(world.model, world.data, self._options, None, self._free_camera, everything, self._scene)
        for k in range(2):
            _aim(self._scene.camera[k], camera, world_from_camera)

    def _flag(self, segment: bool) -> None:
        flags = self._mujoco.mjtRndFlag
        for scene in (self._scene, self._alone):
            scene.flags[flags.mjRND_SEGMENT] = segment
            scene.flags[flags.mjRND_IDCOLOR] = segment
            scene.flags[flags.mjRND_SHADOW] = not segment
            scene.flags[flags.mjRND_SKYBOX] = True
            scene.flags[flags.mjRND_HAZE] = False

    def _draw(self, scene: Any, camera: Camera, image: ColorImage, depth: NDArray[np.float32] | None) -> None:
        self._context.make_current()
        self._mujoco.mjr_setBuffer(self._mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._gl)
        area = self._mujoco.MjrRect(0, 0, camera.width, camera.height)
        self._mujoco.mjr_render(area, scene, self._gl)
        self._mujoco.mjr_readPixels(image, depth, area, self._gl)


_thread = threading.local()


def _shared_context() -> Any:
    """The thread's one drawing context; opening one takes longer than drawing a frame."""
    if not hasattr(_thread, "context"):
        _thread.context = open_context(MAX_WIDTH, MAX_HEIGHT)
        atexit.register(_thread.context.free)  # while the libraries it needs are still loaded
    return _thread.context


def _instances(world: World) -> NDArray[np.uint8]:
    numbers = np.zeros(world.model.ngeom, dtype=np.uint8)
    numbers[world.model.geom("table").id] = TABLE
    for index, described in enumerate(world.objects):
        numbers[world.model.geom(described.id).id] = index + 1
    return numbers


def _aim(gl_camera: Any, camera: Camera, world_from_camera: Mat4) -> None:
    """Set an OpenGL frustum: the optical frame looks along +z with y down, OpenGL along -z with y up."""
    gl_camera.pos = world_from_camera[:3, 3]
    gl_camera.forward = world_from_camera[:3, 2]
    gl_camera.up = -world_from_camera[:3, 1]
    left = -(camera.cx + 0.5) / camera.fx * NEAR
    right = (camera.width - camera.cx - 0.5) / camera.fx * NEAR
    gl_camera.frustum_center = (left + right) / 2
    gl_camera.frustum_width = (right - left) / 2
    gl_camera.frustum_top = (camera.cy + 0.5) / camera.fy * NEAR
    gl_camera.frustum_bottom = -(camera.height - camera.cy - 0.5) / camera.fy * NEAR
    gl_camera.frustum_near, gl_camera.frustum_far = NEAR, FAR
    gl_camera.orthographic = 0


def _copy_camera(source: Any, target: Any) -> None:
    for name in ("pos", "forward", "up", "frustum_center", "frustum_width", "frustum_top", "frustum_bottom"):
        setattr(target, name, getattr(source, name))
    target.frustum_near, target.frustum_far, target.orthographic = NEAR, FAR, 0


def _metric(buffer: NDArray[np.float32]) -> DepthImage:
    """Depth in metres from MuJoCo's reversed buffer: 1 at the near plane, 0 at the far plane, linear in 1 / depth."""
    inverse = buffer.astype(np.float64) * (1.0 / NEAR - 1.0 / FAR) + 1.0 / FAR
    depth = (1.0 / inverse).astype(np.float32)
    depth[buffer <= 0.0] = 0.0
    return depth
