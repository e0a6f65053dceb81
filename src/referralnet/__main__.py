"""`python -m referralnet`."""

from referralnet.cli import main

main()
