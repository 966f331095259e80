"""Attacks on the rows of a linear classifier."""

from fastgrok.linear.attacks._pgd import Attack, Pgd, adversarial_accuracy, pgd

__all__ = ["Attack", "Pgd", "adversarial_accuracy", "pgd"]
