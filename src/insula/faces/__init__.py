"""Faces: reading pictures, finding faces, aligning them and judging their quality."""

from insula.faces.alignment import align
from insula.faces.crops import FaceCrop, crop_faces
from insula.faces.detection import LANDMARKS, Face, FaceDetector
from insula.faces.pictures import list_pictures, read_picture
from insula.faces.quality import FLAGS, quality

__all__ = [
    "FLAGS",
    "LANDMARKS",
    "Face",
    "FaceCrop",
    "FaceDetector",
    "align",
    "crop_faces",
    "list_pictures",
    "quality",
    "read_picture",
]
