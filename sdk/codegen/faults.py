"""What is said where the contract asks for more than the SDK can be."""


class ContractError(Exception):
    """The contract holds something that the SDK cannot express."""
