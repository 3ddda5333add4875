//! What the next bit of the program's texts is likely to be, by what stood behind the
//! same bytes before. The build script squeezes the texts with it, and the program
//! unpacks them with it; so it is a file of both.
//!
//! It is the way of the first PAQ programs: zeros and ones are counted in several
//! contexts, and the counts added up.

/// In so many contexts: that of no byte before, of one, of two and so on.
const CONTEXTS: u32 = 5;
/// Where it was always the same bit, that counts so many times.
const ALWAYS: u32 = 6;

/// Bits of the number of a place for counts; two contexts may fall on one.
const PLACE_BITS: u32 = 18;

/// How often it was 0 and 1, at each place.
pub type Counts = [[u8; 2]; PLACES];

/// How many places there are.
pub const PLACES: usize = 1 << PLACE_BITS;

/// The state after some bits.
pub struct Model<'a> {
    counts: &'a mut Counts,
    /// The bytes before, the last one lowest.
    before: u64,
    /// The bits of the byte that is begun, behind a 1.
    begun: u64,
}

// A place has as many bits as there are, so no index panics, which the compiler sees.
#[allow(clippy::indexing_slicing)]
impl Model<'_> {
    /// At the start; the counts are all zero.
    pub fn new(counts: &mut Counts) -> Model<'_> {
        Model { counts, before: 0, begun: 1 }
    }

    /// The counts of the next bit behind so many bytes.
    fn counts(&mut self, order: u32) -> &mut [u8; 2] {
        let bytes = self.before & ((1 << (8 * order)) - 1);
        let context = bytes << 12 | u64::from(order) << 8 | self.begun;
        let place = context.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - PLACE_BITS);
        &mut self.counts[place as usize]
    }

    /// How many times in 4096 the next bit is 1, at least one time and at most 4095.
    pub fn expect(&mut self) -> u32 {
        let (mut sum, mut ones) = (0, 0);
        for order in 0..CONTEXTS {
            let [zero, one] = *self.counts(order);
            let always = if zero == 0 || one == 0 { ALWAYS } else { 1 };
            sum += (u32::from(zero) + u32::from(one)) * always;
            ones += u32::from(one) * always;
        }
        // At most 5 * 255 * 6, so this fits.
        (((16 * ones + 1) << 12) / (16 * sum + 2)) | 1
    }

    /// Takes the bit that it was. Gives the byte, if it was its last one.
    pub fn learn(&mut self, bit: bool) -> Option<u8> {
        for order in 0..CONTEXTS {
            let counts = self.counts(order);
            let this = usize::from(bit);
            counts[this] = counts[this].saturating_add(1);
            if counts[1 - this] > 2 {
                counts[1 - this] = counts[1 - this] / 2 + 1;
            }
        }
        self.begun = self.begun << 1 | u64::from(bit);
        let byte = self.begun as u8;
        if self.begun < 256 {
            return None;
        }
        self.before = self.before << 8 | u64::from(byte);
        self.begun = 1;
        Some(byte)
    }
}
