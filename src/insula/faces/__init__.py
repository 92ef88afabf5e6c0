"""Faces: reading pictures, finding faces, aligning them and judging their quality."""

from insula.faces.alignment import align
from insula.faces.crops import FaceCrop, crop_faces, crop_photograph, cut_faces
from insula.faces.detection import LANDMARKS, Face, FaceDetector
from insula.faces.following import FaceFollower
from insula.faces.framing import frame_by_box
from insula.faces.pictures import list_pictures, read_picture, read_reduced
from insula.faces.pose import HeadPose, head_pose
from insula.faces.quality import FLAGS, quality
from insula.faces.tracking import FaceTracker
from insula.faces.video import Frame, read_video, video_writer

__all__ = [
    "FLAGS",
    "LANDMARKS",
    "Face",
    "FaceCrop",
    "FaceDetector",
    "FaceFollower",
    "FaceTracker",
    "Frame",
    "HeadPose",
    "align",
    "crop_faces",
    "crop_photograph",
    "cut_faces",
    "frame_by_box",
    "head_pose",
    "list_pictures",
    "quality",
    "read_picture",
    "read_reduced",
    "read_video",
    "video_writer",
]
