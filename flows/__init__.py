"""The outside world: DVC, MLflow, Prefect and BentoML, one adapter each, and the `tandem` command."""
