"""A simulated robot camera over a table: seeded scenes, an RGB-D camera, ground truth, bags (MuJoCo, extra ``sim``).

The scene distribution is frozen under a name (``tabletop-v1``, see ``docs/tabletop-v1.md``), so that scores on it can be
compared across versions. What a seed means is decided without drawing anything (:mod:`joyai_ros.sim.distribution`); MuJoCo
lets the objects come to rest (:mod:`joyai_ros.sim.world`) and draws them (:mod:`joyai_ros.sim.renderer`).
"""
