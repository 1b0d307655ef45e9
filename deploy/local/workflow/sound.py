"""A quiet bed of tones under the pictures, so that the file is heard as well as seen."""

import math

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 44_100
_CHORD_SECONDS = 4.0
_LOUDNESS = 0.055
_ROOTS_HZ = (130.81, 146.83, 164.81, 174.61, 196.00)
_CHORDS = ((0, 7, 12, 16), (-3, 4, 9, 12), (-7, 0, 9, 12), (-5, 2, 7, 14))


def tone_bed(seed: int, seconds: float) -> NDArray[np.int16]:
    """Return mono samples, shape (1, n), at SAMPLE_RATE: slow chords in a key chosen by `seed`."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    root = _ROOTS_HZ[seed % len(_ROOTS_HZ)]
    sound = np.zeros_like(time)
    for number in range(math.ceil(seconds / _CHORD_SECONDS)):
        _add_chord(sound, time, root, number)
    edges = np.minimum(time / 0.8, (seconds - time) / 1.5).clip(0, 1)
    samples: NDArray[np.int16] = (sound * edges * _LOUDNESS * 32767).clip(-32768, 32767).astype(np.int16)
    return samples[None, :]


def _add_chord(sound: NDArray[np.float64], time: NDArray[np.float64], root: float, number: int) -> None:
    """Add chord `number` with a second of overlap to each side, so that one melts into the next."""
    first = int(max(0.0, number * _CHORD_SECONDS - 1) * SAMPLE_RATE)
    last = int(((number + 1) * _CHORD_SECONDS + 1) * SAMPLE_RATE)
    part = time[first:last]
    middle = (number + 0.5) * _CHORD_SECONDS
    swell = 1 - (np.abs(part - middle) / (_CHORD_SECONDS / 2 + 1)).clip(0, 1) ** 2
    for voice, semitones in enumerate(_CHORDS[number % len(_CHORDS)]):
        pitch = root * 2 ** (semitones / 12)
        tremor = 1 + 0.15 * np.sin(2 * math.pi * (0.21 + 0.07 * voice) * part)
        tone = np.sin(2 * math.pi * pitch * part) + 0.25 * np.sin(4 * math.pi * pitch * part + voice)
        sound[first:last] += tone * tremor * swell
