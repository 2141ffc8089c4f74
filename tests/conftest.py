import cv2
import torch

# The suite shares a small machine; one thread is also what makes sums repeat to the last bit.
torch.set_num_threads(1)
cv2.setNumThreads(1)
