"""Result objects, pure: findings and source headers in, DICOM data sets out."""
