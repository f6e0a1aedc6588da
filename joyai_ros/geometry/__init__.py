"""Cameras, rigid transforms, boxes, planes, clouds and warps in NumPy and OpenCV: no ROS, no torch.

Frames follow REP-103: a camera optical frame is x right, y down, z forward; a world is z up. Metres and radians.
A transform is named ``target_from_source`` and maps points of *source* to *target*: ``p_target = T @ p_source``.
Pixels follow OpenCV: the centre of the top left pixel is (0, 0).
"""
