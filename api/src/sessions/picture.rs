//! QR codes as pictures.

use std::error::Error;
use std::fmt;

use axum::http::{HeaderMap, HeaderName};
use qrcode::render::svg;
use qrcode::types::QrError;
use qrcode::{Color, QrCode};

/// Pixels of a module, and modules of white around the code (the standard asks for four).
const SCALE: usize = 8;
const QUIET: usize = 4;

/// The form of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Png,
    Svg,
}

impl Format {
    /// The form that a client asks for; `None` = JSON. The first one named counts.
    pub(crate) fn wanted(headers: &HeaderMap, accept: HeaderName) -> Option<Self> {
        headers
            .get_all(accept)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .find_map(|range| {
                let kind = range.split(';').next().unwrap_or_default().trim();
                match kind.to_ascii_lowercase().as_str() {
                    "image/png" | "image/*" => Some(Some(Self::Png)),
                    "image/svg+xml" => Some(Some(Self::Svg)),
                    "application/json" | "*/*" => Some(None),
                    _ => None,
                }
            })
            .flatten()
    }

    pub(crate) fn mimetype(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Svg => "image/svg+xml",
        }
    }
}

/// A picture could not be drawn.
#[derive(Debug)]
pub(crate) enum PictureError {
    Code(QrError),
    Png(png::EncodingError),
}

impl fmt::Display for PictureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(error) => write!(f, "no QR code: {error}"),
            Self::Png(error) => write!(f, "no PNG: {error}"),
        }
    }
}

impl Error for PictureError {}

/// Draws a QR code that says `text`.
pub(crate) fn of(text: &str, format: Format) -> Result<Vec<u8>, PictureError> {
    let code = QrCode::new(text).map_err(PictureError::Code)?;
    match format {
        Format::Svg => {
            let drawn = code
                .render::<svg::Color<'_>>()
                .min_dimensions(256, 256)
                .build();
            Ok(drawn.into_bytes())
        }
        Format::Png => png(&code).map_err(PictureError::Png),
    }
}

/// A QR code as SVG; `None` where the text is too long for one.
pub(crate) fn svg_of(text: &str) -> Option<Vec<u8>> {
    of(text, Format::Svg).ok()
}

/// One bit a pixel, black on white.
fn png(code: &QrCode) -> Result<Vec<u8>, png::EncodingError> {
    let side = (code.width() + 2 * QUIET) * SCALE;
    let stride = side.div_ceil(8);
    let modules = code.to_colors();
    let mut pixels = vec![0xff_u8; stride * side];
    for y in 0..side {
        for x in 0..side {
            let (column, row) = (x / SCALE, y / SCALE);
            let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < code.width());
            if let (Some(column), Some(row)) = (inside(column), inside(row))
                && modules[row * code.width() + column] == Color::Dark
            {
                pixels[y * stride + x / 8] &= !(0x80 >> (x % 8));
            }
        }
    }
    let mut file = Vec::new();
    let width = u32::try_from(side).unwrap_or(u32::MAX);
    let mut encoder = png::Encoder::new(&mut file, width, width);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shows_every_module_of_the_code() {
        let text = "2@abcdefghijklmnopqrstuvwxyz,key,identity,secret,1";
        let code = QrCode::new(text).unwrap();
        let file = of(text, Format::Png).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let modules = code.to_colors();
        for row in 0..code.width() {
            for column in 0..code.width() {
                let x = (column + QUIET) * SCALE + SCALE / 2;
                let y = (row + QUIET) * SCALE + SCALE / 2;
                let light = pixels[y * info.line_size + x / 8] & (0x80 >> (x % 8)) != 0;
                assert_eq!(light, modules[row * code.width() + column] == Color::Light);
            }
        }
        let drawn = String::from_utf8(of(text, Format::Svg).unwrap()).unwrap();
        assert!(drawn.contains("<svg"));
    }

    #[test]
    fn the_first_form_that_is_named_counts() {
        let wanted = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("accept", accept.parse().unwrap());
            Format::wanted(&headers, axum::http::header::ACCEPT)
        };
        assert_eq!(wanted("*/*"), None);
        assert_eq!(wanted("application/json, image/png"), None);
        assert_eq!(wanted("image/png"), Some(Format::Png));
        assert_eq!(wanted("text/html, image/svg+xml;q=0.9"), Some(Format::Svg));
    }
}
