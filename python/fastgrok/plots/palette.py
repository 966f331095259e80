"""Colours that stay apart for colour-blind readers too."""

#: Okabe and Ito (2008), the yellow left out.
BLUE, ORANGE, GREEN, VERMILION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, BLACK = "#cc79a7", "#56b4e9", "#000000"

#: All of them, for curves that are many.
PALETTE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK)

#: matplotlib's map of colours that grows in lightness, and reads alike without red or green.
MAP = "cividis"
