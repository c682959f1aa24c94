"""What every metric is, in words, for the tables and JSON files that show it."""

DEFINITIONS = {
    "dataset mean centre": (
        "the mean of the evaluated pictures' own centres: the best single fill for the squared "
        "error, which flatters it"
    ),
    "hole_psnr": (
        "PSNR in dB on 8-bit values over the 32×32×3 of the hole alone (peak 255), the mean of "
        "per-image dB; an identical fill counts as one value one level off, the least error "
        "there is, which is 83.0 dB"
    ),
    "l1": "mean absolute difference over the hole, in 8-bit levels (0 to 255)",
    "ssim": (
        "structural similarity of the hole (Wang et al. 2004): 11×11 Gaussian window, σ 1.5, "
        "K1 0.01, K2 0.03, the mean over the channels and over the places where the window "
        "lies inside the hole"
    ),
    "seam_ratio": (
        "mean absolute difference between each pixel just inside the hole's border and its "
        "neighbour just outside (4 sides × 32 pairs × 3 channels, all pictures), divided by the "
        "same mean in the real pictures; 1 is real, above 1 a visible seam, below 1 too smooth"
    ),
    "kid": (
        "unbiased MMD² with the kernel (x·y/d + 1)³ (Bińkowski et al. 2018) between the "
        "composites' features and the real pictures', each subset taking its composites and its "
        "real pictures from different photographs; mean and standard deviation over the subsets"
    ),
    "milliseconds": (
        "median wall time of one image at a time, the caption already embedded, the model loaded"
    ),
}
DIVERSITY_DEFINITION = (
    "mean Euclidean distance between the features of all pairs of generated pictures, divided by "
    "the same mean of as many real ones: 0 is one picture over and over, 1 as diverse as the real "
    "ones; of a system that fills holes, the fills alone are compared (32×32), since around them "
    "all is real; 95% bootstrap interval over the pictures of both sides"
)
# Of a comparison of runs, one value an image.
COMPARISON_DEFINITIONS = {
    name: DEFINITIONS[name] for name in ("hole_psnr", "l1", "ssim", "seam_ratio", "kid")
} | {
    "feature_distance": "Euclidean distance of the composite's features to the real picture's",
    "square_ratio": (
        "mean absolute difference in mean colour between the strip 4 pixels deep just inside each "
        "side of the hole and the one just outside, divided by the same mean in the real "
        "pictures; above 1 is the square artefact, a hole off in brightness or colour"
    ),
    "contrast": (
        "standard deviation over a fill's pixels, the mean over its channels, divided by the same "
        "mean of the real centres; 0 is flat grey"
    ),
    "draws_differ_levels": (
        "mean absolute difference in 8-bit levels between two fills of a picture that differ in "
        "their noise alone, the mean over all pairs of draws"
    ),
    "draws_differ_features": "the same as Euclidean distance of the composites' features",
}
