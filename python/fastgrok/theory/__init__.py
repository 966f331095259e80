"""
What theory predicts for runs: on the data of the two papers, and of the squared loss on any rows.

`edge` and `two_point` belong to Beck et al. (2025), arXiv 2410.04489: Gaussian points of constant
label at the edge of separability, and the one-dimensional model of it. `bias` belongs to Das et al.
(2026), arXiv 2602.08302: the bias and test sets concentrated at the hyperplane. `mixture` and
`squared` are of neither: populations of Gaussian classes, of teachers and of logistic models, with
label noise, and descent on the squared loss, for any rows. Arguments broadcast, but for `squared`.
"""

from fastgrok.theory import bias, edge, mixture, squared, two_point

__all__ = ["bias", "edge", "mixture", "squared", "two_point"]
