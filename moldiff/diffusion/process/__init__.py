r"""Noising processes and their exact reversals, one per kind of field, and their product.

**Gaussian** (coordinates): :math:`x_t = \alpha_t x_0 + \sigma_t z`.  With
:math:`\hat z = (x_t - \alpha_t \hat x_0)/\sigma_t` and
:math:`\tau = \eta\,(1 - (\alpha_t \sigma_s / \alpha_s \sigma_t)^2)` one reverse step is

.. math:: x_s = \alpha_s \hat x_0 + \sigma_s (\sqrt{1-\tau}\, \hat z + \sqrt{\tau}\, \epsilon)

eta = 1 is ancestral DDPM (Ho et al. 2020, eq. 7); eta = 0 is DDIM (Song et al. 2021,
eq. 12), the probability-flow ODE, and for the rectified schedule exactly Euler's step.
Between, eta scales the fresh variance, DDIM's eta (eq. 16) its standard deviation: 0.5 here is
0.71 there.

**Jump** (classes): in continuous time a class is kept with probability alpha_t and
otherwise redrawn from pi: :math:`q(x_t|x_0) = \alpha_t \delta + (1-\alpha_t)\pi`.  The
reverse kernel has a closed form between any two times, so any number of sampling steps
works (Austin et al., D3PM, 2021, eq. 3-4; Campbell et al. 2022).  With ``churn`` c the step
from t to s overshoots to (1 - c) s, and noise brings it back to s.  The marginals stay
exact for every c; at c = 1 all classes are resampled from the prediction, so that early
choices can be corrected (the remasking and corrector samplers of discrete flows, Campbell et al.
2024, generalised to any noise).

**Geodesic** (rotations, angles): :math:`x_t` lies at the fraction w(t) of the shortest geodesic
from x_0 to uniform noise, :math:`x_t = \exp_{x_0}(w_t \log_{x_0} z)` (Chen & Lipman,
"Flow Matching on General Geometries", 2024, section 3.2, with kappa = 1 - w), and one
reverse step moves along the geodesic from the predicted clean value through x_t.
"""

from __future__ import annotations

from moldiff.diffusion.process.base import Flow, Process
from moldiff.diffusion.process.gaussian import Gaussian, PowerLaw
from moldiff.diffusion.process.geodesic import Geodesic
from moldiff.diffusion.process.jump import Jump
from moldiff.diffusion.process.product import Product

__all__ = ["Flow", "Gaussian", "Geodesic", "Jump", "PowerLaw", "Process", "Product"]
