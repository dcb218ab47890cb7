"""The files that courses are made of: how they come, where they are kept, and who may have them."""
