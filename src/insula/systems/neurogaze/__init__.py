"""NeuroGaze-Distill: prototypes of valence and arousal, made by a network on EEG, guide a face recogniser."""
