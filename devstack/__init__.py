"""The whole platform on one machine, with one command and nothing to install beside Python."""
