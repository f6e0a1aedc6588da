"""A described scene as a MuJoCo model, with its objects at rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4, Points
from joyai_ros.sim import surfaces, textures
from joyai_ros.sim.description import ObjectDescription, SceneDescription, Texture, Wall
from joyai_ros.sim.graphics import load_mujoco
from joyai_ros.sim.shapes import Part, Shape, shape_of
from joyai_ros.sim.surfaces import Surface

NEAR, FAR = 0.02, 30.0  # metres; nothing nearer or farther is drawn
MAX_WIDTH, MAX_HEIGHT = 1280, 960  # pixels of the drawing buffer
VISIBLE, COLLISION = 0, 3  # geom groups; MuJoCo draws the first three
_MEMORY = 256 * 2**20  # bytes that the solver may use: a full table of hollow objects has hundreds of contacts
_TIMESTEP = 0.002
_SETTLE_SECONDS = 2.0
_REST_SPEED = 2e-3  # metres or radians per second
_REST_STEPS = 25
_ROOM = 12.0  # metres of floor
_WALL = (5.0, 2.8, 0.1)  # metres: width, height, thickness


class World:
    """The model of one scene and the poses of its objects, after they came to rest.

    Attributes:
        description: what was compiled.
        model, data: MuJoCo's.
    """

    def __init__(self, description: SceneDescription) -> None:
        """Compile the scene and let its objects settle.

        Raises:
            MissingDependencyError: MuJoCo is not installed.
        """
        self._mujoco = load_mujoco()
        self.description = description
        self.model = _compile(self._mujoco, description)
        self.data = self._mujoco.MjData(self.model)
        self.settle()

    @property
    def objects(self) -> tuple[ObjectDescription, ...]:
        """The described objects, in their order."""
        return self.description.objects

    def settle(self, seconds: float = _SETTLE_SECONDS) -> None:
        """Let everything come to rest, for at most so many seconds of simulated time; velocities end at zero."""
        quiet = 0
        for _ in range(int(seconds / _TIMESTEP)):
            self._mujoco.mj_step(self.model, self.data)
            quiet = quiet + 1 if np.abs(self.data.qvel).max(initial=0.0) < _REST_SPEED else 0
            if quiet >= _REST_STEPS:
                break
        self.data.qvel[:] = 0.0
        self.data.time = 0.0
        self._mujoco.mj_forward(self.model, self.data)

    def body(self, index: int) -> int:
        """The MuJoCo body of object ``index``."""
        return int(self.model.body(self.objects[index].id).id)

    def pose(self, index: int) -> Mat4:
        """Return world_from_body (4, 4) of object ``index``."""
        body = self.body(index)
        return rigid.make_transform(self.data.xmat[body].reshape(3, 3).copy(), self.data.xpos[body].copy())

    def poses(self) -> list[Mat4]:
        """Return world_from_body of every object, in the description's order."""
        return [self.pose(i) for i in range(len(self.objects))]

    def place(self, index: int, world_from_body: Mat4) -> None:
        """Put object ``index`` somewhere else, as it is told: nothing falls or makes way until :meth:`settle`."""
        pose = rigid.checked_transform(world_from_body, f"pose of {self.objects[index].id}")
        start = int(self.model.jnt_qposadr[self.model.body_jntadr[self.body(index)]])
        x, y, z, w = rigid.quaternion_from_matrix(pose[:3, :3])
        self.data.qpos[start : start + 7] = [*pose[:3, 3], w, x, y, z]
        self.data.qvel[:] = 0.0
        self._mujoco.mj_forward(self.model, self.data)

    def vertices(self, index: int) -> Points:
        """Return the (N, 3) vertices of object ``index`` in the world."""
        return rigid.apply(self.pose(index), np.asarray(object_shape(self.objects[index]).surface.vertices))

    def collision_geoms(self, index: int) -> list[int]:
        """The MuJoCo geoms with which object ``index`` touches."""
        body = self.body(index)
        first, count = int(self.model.body_geomadr[body]), int(self.model.body_geomnum[body])
        return [g for g in range(first, first + count) if self.model.geom_group[g] == COLLISION]

    def table_geom(self) -> int:
        """The MuJoCo geom of the table top that things touch."""
        return int(self.model.geom("table/0").id)


def object_shape(described: ObjectDescription) -> Shape:
    """The shape of a described object, textured at its own scale."""
    return shape_of(described.kind, described.dimensions, described.texture.scale)


def _compile(mujoco: Any, scene: SceneDescription) -> Any:
    spec = mujoco.MjSpec()
    _set_options(mujoco, spec)
    _add_lights(mujoco, spec, scene)
    builder = _Builder(mujoco, spec)
    floor = surfaces.box((_ROOM, _ROOM, 0.02), (0.0, 0.0, -0.01), scene.floor.scale)
    builder.static(
        "floor", floor, scene.floor, [Part("box", (_ROOM / 2, _ROOM / 2, 0.01), (0.0, 0.0, -0.01))], shadow=False
    )
    _add_table(builder, scene)
    for number, wall in enumerate(scene.walls):
        _add_wall(builder, number, wall)
    for described in scene.objects:
        builder.movable(described)
    model = spec.compile()
    _set_looks(model, scene.ambient)
    return model


def _set_options(mujoco: Any, spec: Any) -> None:
    spec.memory = _MEMORY
    spec.option.timestep = _TIMESTEP
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.noslip_iterations = 3
    # Flat faces touch in several points; MuJoCo before 4.0 has to be asked for them.
    spec.option.enableflags |= int(getattr(mujoco.mjtEnableBit, "mjENBL_MULTICCD", 0))


def _set_looks(model: Any, ambient: float) -> None:
    """Set how the compiled model is drawn."""
    model.stat.extent = 1.0  # near and far planes count in it
    model.stat.center[:] = [0.0, 0.0, 0.7]
    model.vis.map.znear, model.vis.map.zfar = NEAR, FAR
    model.vis.map.shadowclip = 1.2
    model.vis.quality.shadowsize = 2048
    model.vis.quality.offsamples = 4
    model.vis.global_.offwidth, model.vis.global_.offheight = MAX_WIDTH, MAX_HEIGHT
    model.vis.headlight.ambient[:] = ambient
    model.vis.headlight.diffuse[:] = 0.0  # a lamp on the camera would change the shading with the view
    model.vis.headlight.specular[:] = 0.0


def _add_lights(mujoco: Any, spec: Any, scene: SceneDescription) -> None:
    for light in scene.lights:
        spec.worldbody.add_light(
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
            pos=light.position,
            dir=light.direction,
            diffuse=[light.intensity] * 3,
            ambient=[0.0] * 3,
            specular=[0.3 * light.intensity] * 3,
            castshadow=light.shadow,
        )


def _add_table(builder: _Builder, scene: SceneDescription) -> None:
    table = scene.table
    turn = rigid.axis_angle(np.array([0.0, 0.0, 1.0]), table.yaw)
    middle = table.height - table.thickness / 2
    half = (table.length / 2, table.width / 2, table.thickness / 2)
    if table.round:
        low, high = -table.thickness / 2, table.thickness / 2
        radius = table.length / 2
        rings = [(radius * k / 6, high) for k in range(6, -1, -1)]
        top = surfaces.lathe([(0.0, low), (radius, low), *rings], table.texture.scale, segments=96)
        top = Surface(top.vertices, top.normals, top.vertices[:, :2] / table.texture.scale, top.faces)
        part = Part("cylinder", (radius, table.thickness / 2))
        legs = [(0.25 * radius * c, 0.25 * radius * s) for c, s in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
    else:
        top = surfaces.box((2 * half[0], 2 * half[1], 2 * half[2]), (0.0, 0.0, 0.0), table.texture.scale)
        part = Part("box", half)
        legs = [(c * (half[0] - 0.06), s * (half[1] - 0.06)) for c, s in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
    rise = table.height - table.thickness
    posts = [surfaces.box((0.05, 0.05, rise), (x, y, -middle + rise / 2), table.texture.scale) for x, y in legs]
    whole = surfaces.merge([top, *posts]).moved(np.array([0.0, 0.0, middle]), turn)
    x, y, z = 0.0, 0.0, middle
    builder.static("table", whole, table.texture, [Part(part.type, part.size, (x, y, z), turn)])


def _add_wall(builder: _Builder, number: int, wall: Wall) -> None:
    width, height, thickness = _WALL
    turn = rigid.axis_angle(np.array([0.0, 0.0, 1.0]), wall.yaw)
    panel = surfaces.box((thickness, width, height), (-thickness / 2, 0.0, height / 2), wall.texture.scale)
    builder.static(f"wall_{number}", panel.moved(np.array(wall.position), turn), wall.texture, [], shadow=False)


class _Builder:
    """Adds drawn surfaces and touching parts to a model under construction."""

    def __init__(self, mujoco: Any, spec: Any) -> None:
        self._mujoco, self._spec = mujoco, spec
        self._hulls: dict[tuple[tuple[float, float, float], ...], str] = {}

    def static(self, name: str, surface: Surface, look: Texture, parts: Sequence[Part], shadow: bool = True) -> None:
        """Add something fixed; without ``shadow`` it throws none (the room's large surfaces would speckle themselves)."""
        self._add(self._spec.worldbody, name, surface, look, parts, shadow)

    def movable(self, described: ObjectDescription) -> None:
        x, y, z, w = described.quaternion
        body = self._spec.worldbody.add_body(name=described.id, pos=described.position, quat=[w, x, y, z])
        body.add_freejoint()
        shape = object_shape(described)
        self._add(body, described.id, shape.surface, described.texture, shape.parts)

    def _add(
        self, body: Any, name: str, surface: Surface, look: Texture, parts: Sequence[Part], shadow: bool = True
    ) -> None:
        mujoco = self._mujoco
        self._add_material(name, look)
        self._spec.add_mesh(
            name=name,
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
            uservert=surface.vertices.ravel(),
            usernormal=surface.normals.ravel(),
            usertexcoord=surface.texture.ravel(),
            userface=surface.faces.ravel(),
        )
        drawn = body.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=name,
            material=name,
            group=VISIBLE,
            contype=0,
            conaffinity=0,
            mass=0.0,
        )
        if not shadow and hasattr(drawn, "castshadow"):  # MuJoCo before 4.0 cannot leave a shadow out
            drawn.castshadow = False
        for number, part in enumerate(parts):
            self._add_part(body, f"{name}/{number}", part)

    def _add_part(self, body: Any, name: str, part: Part) -> None:
        mujoco = self._mujoco
        kinds = {
            "box": mujoco.mjtGeom.mjGEOM_BOX,
            "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
            "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
            "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
            "hull": mujoco.mjtGeom.mjGEOM_MESH,
        }
        rotation = np.eye(3) if part.rotation is None else part.rotation
        x, y, z, w = rigid.quaternion_from_matrix(rotation)
        body.add_geom(
            name=name,
            type=kinds[part.type],
            meshname=self._hull(part.points) if part.points else "",
            size=[*part.size, *[0.0] * (3 - len(part.size))],
            pos=part.position,
            quat=[w, x, y, z],
            group=COLLISION,
            density=400.0,
            condim=3
            if part.type in ("box", "hull")
            else 6,  # only what is round can roll, and needs friction against it
            friction=[0.9, 0.01, 0.002],
            solref=[0.005, 1.0],
            solimp=[0.95, 0.99, 0.0005, 0.5, 2.0],
        )

    def _hull(self, points: tuple[tuple[float, float, float], ...]) -> str:
        """The name of the mesh with these corners; the wedges of one ring share it."""
        if points not in self._hulls:
            self._hulls[points] = f"hull_{len(self._hulls)}"
            self._spec.add_mesh(name=self._hulls[points], uservert=np.ravel(points))
        return self._hulls[points]

    def _add_material(self, name: str, look: Texture) -> None:
        mujoco = self._mujoco
        image = textures.picture(look)
        texture = self._spec.add_texture(
            name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, width=image.shape[1], height=image.shape[0], nchannel=3
        )
        texture.data = image.tobytes()
        material = self._spec.add_material(name=name, specular=look.gloss, shininess=0.2 + 0.6 * look.gloss)
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
